/** TypeORM names every option of a connection, also those that it does not have, and finds an empty user in a URL. */
export function givenOptions<Options extends object>(options: Options): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== '')
  return Object.fromEntries(given) as Options
}
