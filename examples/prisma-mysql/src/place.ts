const { DB_HOST: host = 'localhost', DB_PORT: port = '3306', DB_NAME: database = 'app' } = process.env

/** Where the database is. */
export const place: { host: string; port: number; database: string } = { host, port: Number(port), database }
