import CHDF5

/// The kind and size of an element as a file stores it.
package enum ElementType: Equatable, Sendable, CustomStringConvertible {
  /// IEEE floating point.
  case float(bytes: Int)
  /// A two's complement or unsigned integer.
  case integer(bytes: Int, signed: Bool)
  /// A string of a fixed number of bytes, padded.
  case string(bytes: Int)
  /// A string of any length, kept apart from its place in the array.
  case text

  /// The bytes that one element takes.
  package var size: Int {
    switch self {
    case .float(let bytes), .integer(let bytes, _), .string(let bytes): bytes
    case .text: MemoryLayout<UnsafePointer<CChar>>.size
    }
  }

  /// As NumPy writes it: `float32`, `uint8`, `string[12]`.
  package var description: String {
    switch self {
    case .float(let bytes): "float\(bytes * 8)"
    case .integer(let bytes, let signed): "\(signed ? "" : "u")int\(bytes * 8)"
    case .string(let bytes): "string[\(bytes)]"
    case .text: "strings"
    }
  }
}

/// A type whose values are written to and read from files as they lie in memory.
package protocol Storable: BitwiseCopyable, Sendable {
  /// How a file stores it.
  static var elementType: ElementType { get }
}

extension Float: Storable {
  /// `float32`.
  package static var elementType: ElementType { .float(bytes: 4) }
}

extension Double: Storable {
  /// `float64`.
  package static var elementType: ElementType { .float(bytes: 8) }
}

extension UInt8: Storable {
  /// `uint8`.
  package static var elementType: ElementType { .integer(bytes: 1, signed: false) }
}

extension Int8: Storable {
  /// `int8`.
  package static var elementType: ElementType { .integer(bytes: 1, signed: true) }
}

extension Int16: Storable {
  /// `int16`.
  package static var elementType: ElementType { .integer(bytes: 2, signed: true) }
}

extension UInt16: Storable {
  /// `uint16`.
  package static var elementType: ElementType { .integer(bytes: 2, signed: false) }
}

extension Int32: Storable {
  /// `int32`.
  package static var elementType: ElementType { .integer(bytes: 4, signed: true) }
}

extension UInt32: Storable {
  /// `uint32`.
  package static var elementType: ElementType { .integer(bytes: 4, signed: false) }
}

extension Int64: Storable {
  /// `int64`.
  package static var elementType: ElementType { .integer(bytes: 8, signed: true) }
}

extension UInt64: Storable {
  /// `uint64`.
  package static var elementType: ElementType { .integer(bytes: 8, signed: false) }
}

extension Int: Storable {
  /// `int64`.
  package static var elementType: ElementType { .integer(bytes: MemoryLayout<Int>.size, signed: true) }
}

extension Storable {
  /// The library's identifier of the type.
  static var typeID: hid_t {
    switch elementType {
    case .float(bytes: 4): st_type_float()
    case .float: st_type_double()
    case .integer(bytes: 1, signed: true): st_type_int8()
    case .integer(bytes: 1, _): st_type_uint8()
    case .integer(bytes: 2, signed: true): st_type_int16()
    case .integer(bytes: 2, _): st_type_uint16()
    case .integer(bytes: 4, signed: true): st_type_int32()
    case .integer(bytes: 4, _): st_type_uint32()
    case .integer(_, signed: true): st_type_int64()
    case .integer: st_type_uint64()
    case .string, .text: st_type_string()
    }
  }
}
