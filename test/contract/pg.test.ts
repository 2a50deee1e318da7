import { contract } from './contract.ts'

contract('pg')
