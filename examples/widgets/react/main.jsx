import { createRoot } from 'react-dom/client'
import { refreshToken } from '../refresh-token.js'

// React sets `refreshToken` as a property, since the script of the widgets, which runs before this one, has defined it.
function Account() {
  return (
    <>
      <h1>Your account</h1>
      <div className="account">
        <om-balance refreshToken={refreshToken} />
        <om-usage refreshToken={refreshToken} />
        <om-top-up refreshToken={refreshToken} />
      </div>
    </>
  )
}

createRoot(document.getElementById('root')).render(<Account />)
