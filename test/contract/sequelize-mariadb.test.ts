import { contract } from './contract.ts'

contract('sequelize-mariadb')
