/** The type of a file that is imported as text. Vite inlines the text, because the runtime has no file system. */
declare module '*?raw' {
  const text: string
  export default text
}
