interface Holder {
  readonly password: string
}

const holders = new Set<WeakRef<Holder>>()

/** Has the password hidden in whatever leaves the library, for as long as its holder lives. */
export function hidePasswordOf(holder: Holder): void {
  for (const each of holders) if (!each.deref()) holders.delete(each)
  holders.add(new WeakRef(holder))
}

/** The passwords of all credentials that somebody still has. */
export function secretsInForce(): string[] {
  return [...holders].map((each) => each.deref()?.password).filter((password) => password !== undefined)
}
