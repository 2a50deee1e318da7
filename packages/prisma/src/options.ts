/** `Omit` that leaves a union one, as the ways to a lease are. */
type Without<Options, Name extends PropertyKey> = Options extends unknown ? Omit<Options, Name> : never

/** Divides options into those with one of the names and the others. */
export function divide<Options extends object, Name extends keyof Options>(
  options: Options,
  names: readonly Name[],
): [Pick<Options, Name>, Without<Options, Name>] {
  const isNamed = ([name]: [string, unknown]): boolean => names.some((each) => each === name)
  const entries = Object.entries(options)
  const named = Object.fromEntries(entries.filter(isNamed))
  const others = Object.fromEntries(entries.filter((entry) => !isNamed(entry)))
  return [named as Pick<Options, Name>, others as Without<Options, Name>]
}
