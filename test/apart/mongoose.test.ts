import { apart } from './apart.ts'

apart('mongoose')
