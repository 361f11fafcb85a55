/** The nodes above one that a path names, nearest first: neither `/` nor what a relative path is relative to. */
export function* ancestorsIn(path: string): Generator<string> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    yield path.slice(0, end);
}
