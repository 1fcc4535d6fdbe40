/** A file as text, as Vite brings it into the runtime that has no files. */
declare module '*?raw' {
  const text: string
  export default text
}
