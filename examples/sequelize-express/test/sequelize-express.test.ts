import { usersService } from '../../../test/examples/users-service.ts'

usersService('sequelize-express', 'postgresql')
