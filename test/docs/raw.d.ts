/** A file as text: Vite inlines it, because the runtime has no file system. */
declare module '*?raw' {
  const text: string
  export default text
}
