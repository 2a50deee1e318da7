/** A property that reads and is set as ever. What it holds is kept apart: one for all objects leaves them of one shape, and fast. */
function hidden(): PropertyDescriptor {
  const values = new WeakMap<object, unknown>()
  return {
    get(this: object) {
      return values.get(this)
    },
    set(this: object, value: unknown) {
      values.set(this, value)
    },
    enumerable: false,
    configurable: true,
  }
}

const properties = { password: hidden(), password1: hidden() }

/**
 * From now on nobody sees the passwords of an object who prints it: not even `console.log('%o', …)`, which shows what is not
 * enumerable.
 */
export function hidePasswords(holder: object): void {
  Object.defineProperties(holder, properties)
}

/**
 * The same for a copy that is made: its password is hidden from the beginning. To put an accessor in place of a value makes a
 * dictionary of an object, which the driver reads several times in each query.
 */
export function copyHidingPassword<Holder extends object>(holder: Holder): Holder {
  const { password } = properties
  return Object.create(Object.getPrototypeOf(holder), {
    ...Object.getOwnPropertyDescriptors(holder),
    password,
  })
}

export function isPasswordHidden(holder: object): boolean {
  return Object.getOwnPropertyDescriptor(holder, 'password')?.set === properties.password.set
}
