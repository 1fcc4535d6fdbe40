import { render } from 'preact'
import { App } from './shell/app.tsx'
import './style.css'

const root = document.getElementById('app')
if (!root) throw new Error('index.html has no element #app')
render(<App />, root)
