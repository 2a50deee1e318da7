import { apart } from './apart.ts'

apart('mikro-orm-mariadb')
