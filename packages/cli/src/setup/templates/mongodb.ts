import type { Template, Templates } from './template.ts'

export const mongodb: Templates = { readonly: having('read'), readwrite: having('readWrite') }

function having(role: string): Template {
  return {
    needs: ['database'],
    takes: [],
    statements: ({ database }) => ({
      creation_statements: [JSON.stringify({ db: 'admin', roles: [{ role, db: database }] })],
      renew_statements: [],
      revocation_statements: [JSON.stringify({ db: 'admin' })],
    }),
  }
}
