import { fileURLToPath } from 'node:url'

/** A file that is published beside `src` and `dist`. */
export function packageFile(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url))
}
