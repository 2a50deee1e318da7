/** Where the database is. */
export function place(env: NodeJS.ProcessEnv = process.env) {
  const { DB_HOST: host = 'localhost', DB_PORT: port = '3306', DB_NAME: database = 'app' } = env
  return { host, port: Number(port), database }
}
