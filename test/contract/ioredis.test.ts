import { contract } from './contract.ts'

contract('ioredis')
