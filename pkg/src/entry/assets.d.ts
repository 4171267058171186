/** Made by the build: the WebAssembly, gzipped and in base64, and the text of `worker.js`. */
declare module "quorate:wasm" {
  const base64: string;
  export default base64;
}
declare module "quorate:worker" {
  const source: string;
  export default source;
}
