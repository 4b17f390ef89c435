import COpenMPI

/// A type whose values travel between ranks as they lie in memory.
package protocol MPIDatatype: BitwiseCopyable, Sendable {
  /// The type's name for the library.
  static var messageElement: MessageElement { get }
}

/// The elements that messages are made of.
package enum MessageElement: Sendable {
  /// 32-bit IEEE floating point.
  case float
  /// 64-bit IEEE floating point.
  case double
  /// 32-bit integers.
  case int32
  /// 64-bit integers.
  case int64
  /// Bytes.
  case uint8
}

extension Float: MPIDatatype {
  /// `MPI_FLOAT`.
  package static var messageElement: MessageElement { .float }
}

extension Double: MPIDatatype {
  /// `MPI_DOUBLE`.
  package static var messageElement: MessageElement { .double }
}

extension Int32: MPIDatatype {
  /// `MPI_INT32_T`.
  package static var messageElement: MessageElement { .int32 }
}

extension Int64: MPIDatatype {
  /// `MPI_INT64_T`.
  package static var messageElement: MessageElement { .int64 }
}

extension Int: MPIDatatype {
  /// `MPI_INT64_T`.
  package static var messageElement: MessageElement { .int64 }
}

extension UInt8: MPIDatatype {
  /// `MPI_UINT8_T`.
  package static var messageElement: MessageElement { .uint8 }
}

extension MPIDatatype {
  /// The library's handle of the type.
  static var handle: MPI_Datatype? {
    switch messageElement {
    case .float: st_datatype_float()
    case .double: st_datatype_double()
    case .int32: st_datatype_int32()
    case .int64: st_datatype_int64()
    case .uint8: st_datatype_uint8()
    }
  }
}
