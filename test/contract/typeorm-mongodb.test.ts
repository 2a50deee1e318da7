import { contract } from './contract.ts'

contract('typeorm-mongodb')
