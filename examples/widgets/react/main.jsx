import { createRoot } from 'react-dom/client'
import { refreshToken } from '../refresh-token.js'

// React sets `refreshToken` as a property, because the widgets have defined it: their script runs before this one.
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
