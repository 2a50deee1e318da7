import { contract } from './contract.ts'

contract('prisma-mysql')
