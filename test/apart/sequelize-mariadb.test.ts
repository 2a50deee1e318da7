import { apart } from './apart.ts'

apart('sequelize-mariadb')
