import { contract } from './contract.ts'

contract('mysql2')
