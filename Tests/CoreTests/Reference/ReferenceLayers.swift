import Core
import Glibc

func gelu(_ x: Vector) -> Vector { x.map { $0 * (1 + erf($0 / 2.0.squareRoot())) / 2 } }
