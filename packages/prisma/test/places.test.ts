import { beforeEach, describe, expect, it } from 'vitest'
import { Places, type PlaceTaker } from '../src/mariadb/places.ts'

describe('the places of a pool', () => {
  let served: (string | undefined)[]
  beforeEach(() => {
    served = []
  })
  const taker = (): PlaceTaker<string> => ({ fill: (place) => served.push(place) })

  it('are as many as there may be, and those who wait are served in turn', () => {
    const places = new Places<string>(2)
    for (let taken = 0; taken < 4; taken++) places.take(taker())
    expect(served.splice(0)).toEqual([undefined, undefined])
    places.giveBack('a')
    places.vacate()
    expect(served).toEqual(['a', undefined])
  })

  it('give the connection that was used last', () => {
    const places = new Places<string>(2)
    places.take(taker())
    places.take(taker())
    expect(places.takeIdle()).toBeUndefined()
    places.giveBack('a')
    places.giveBack('b')
    expect(places.idle).toEqual(['a', 'b'])
    places.take(taker())
    expect([served.at(-1), places.takeIdle()]).toEqual(['b', 'a'])
  })

  it('are taken with the connection in them', () => {
    const places = new Places<string>(1)
    places.take(taker())
    expect(places.takePlaceOf('a')).toBe(false)
    places.giveBack('a')
    expect(places.takePlaceOf('a')).toBe(true)
    expect(places.idle).toEqual([])
    places.take(taker())
    expect(served).toHaveLength(1)
    places.vacate()
    expect(served).toEqual([undefined, undefined])
  })

  it('are taken for the connection in them, and not when there is none', async () => {
    const places = new Places<string>(2)
    await expect(places.takeOccupied()).rejects.toThrow('no connection')
    places.take(taker())
    places.take(taker())
    const occupied = [places.takeOccupied(), places.takeOccupied()]
    places.giveBack('a')
    places.vacate()
    await expect(occupied[0]).resolves.toBe('a')
    await expect(occupied[1]).rejects.toThrow('no connection')
    expect(places.takeIdle()).toBeUndefined()
    places.take(taker())
    expect(served).toHaveLength(3)
  })

  it('are not given to who has gone away', () => {
    const places = new Places<string>(1)
    const late: PlaceTaker<string> = { fill: () => served.push('late') }
    places.take(taker())
    places.take(late)
    places.leave(late)
    places.giveBack('a')
    expect(places.idle).toEqual(['a'])
    expect(served).toEqual([undefined])
  })
})
