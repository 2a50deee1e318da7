import { usersService } from '../../../test/examples/users-service.ts'

usersService('mongodb-driver', 'mongodb')
