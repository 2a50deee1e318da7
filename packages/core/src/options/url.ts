const loginParameters = ['user', 'password', 'password1', 'passwordSha1'] as const

/** Whether a connection URL names a user or a password, in its authority or by a parameter that a driver reads. */
export function namesLogin({ username, password, searchParams }: URL): boolean {
  return `${username}${password}` !== '' || loginParameters.some((name) => searchParams.has(name))
}
