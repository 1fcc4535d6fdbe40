import { refreshToken } from '../refresh-token.js'

for (const widget of document.querySelectorAll('om-balance, om-usage, om-top-up')) {
  widget.refreshToken = refreshToken
}
