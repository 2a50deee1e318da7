/**
 * Gives an object of a driver a password that reads and is set as ever, but that nobody sees who prints the object: not even
 * `console.log('%o', …)`, which shows what is not enumerable.
 */
export function hidePassword(holder: object, password: unknown, name = 'password'): void {
  let value = password
  Object.defineProperty(holder, name, {
    get: () => value,
    set: (next: unknown) => {
      value = next
    },
    enumerable: false,
    configurable: true,
  })
}
