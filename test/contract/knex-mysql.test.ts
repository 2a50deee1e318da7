import { contract } from './contract.ts'

contract('knex-mysql')
