/** Defines all widgets in one file. */
import './om-balance.ts'
import './om-usage.ts'
import './om-top-up.ts'
