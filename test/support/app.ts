export { deployed as apiWith } from './deployment.ts'
