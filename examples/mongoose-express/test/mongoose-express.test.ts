import { usersService } from '../../../test/examples/users-service.ts'

usersService('mongoose-express', 'mongodb')
