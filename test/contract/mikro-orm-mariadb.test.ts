import { contract } from './contract.ts'

contract('mikro-orm-mariadb')
