import { describe, expect, it } from 'vitest'
import { Places } from '../src/mariadb/places.ts'

describe('the places of a pool', () => {
  it('are as many as there may be, and those who wait are served in turn', async () => {
    const places = new Places<string>(2)
    expect([await places.take(), await places.take()]).toEqual([undefined, undefined])
    const served: (string | undefined)[] = []
    const waiting = ['first', 'second'].map(() => places.take().then((place) => served.push(place)))
    places.giveBack('a')
    places.vacate()
    await Promise.all(waiting)
    expect(served).toEqual(['a', undefined])
  })

  it('give the connection that was used last', async () => {
    const places = new Places<string>(2)
    await places.take()
    await places.take()
    places.giveBack('a')
    places.giveBack('b')
    expect(places.idle).toEqual(['a', 'b'])
    expect([await places.take(), await places.take()]).toEqual(['b', 'a'])
  })

  it('are taken with the connection in them', async () => {
    const places = new Places<string>(1)
    await places.take()
    expect(places.takeIdle('a')).toBe(false)
    places.giveBack('a')
    expect(places.takeIdle('a')).toBe(true)
    expect(places.idle).toEqual([])
    places.vacate()
    expect(await places.take()).toBeUndefined()
  })

  it('are waited for until a time is over, and who has gone away gets none', async () => {
    const places = new Places<string>(1)
    await places.take()
    await expect(places.take({ ms: 10, error: () => new Error('too late') })).rejects.toThrow('too late')
    places.giveBack('a')
    expect(places.idle).toEqual(['a'])
  })
})
