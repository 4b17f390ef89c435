/// Decodes UTF-8 that comes in blocks, cut anywhere, and accepts nothing else: no overlong forms, no surrogates,
/// nothing above U+10FFFF (The Unicode Standard, table 3-7).
struct UTF8Decoder {
  /// Where a sequence that is no UTF-8 begins, in bytes from the start of the text.
  struct Failure: Error, Equatable {
    let offset: Int
  }

  /// The bytes taken so far.
  private var consumed = 0
  /// The length so far of an unfinished sequence.
  private var length = 0
  /// How many continuation bytes are still to come, the range in which the next must lie, and the value so far.
  private var missing = 0
  private var allowed: ClosedRange<UInt8> = 0x80...0xBF
  private var value: UInt32 = 0

  /// Appends the scalar values of `block` to `scalars`; what a sequence cut at its end means is said with the next one.
  mutating func decode(_ block: UnsafeBufferPointer<UInt8>, into scalars: inout [UInt32]) throws(Failure) {
    for (index, byte) in block.enumerated() {
      if missing == 0 {
        if byte < 0x80 {
          scalars.append(UInt32(byte))
          continue
        }
        guard begin(byte) else { throw Failure(offset: consumed + index) }
        length = 1
        continue
      }
      guard allowed.contains(byte) else { throw Failure(offset: consumed + index - length) }
      value = value << 6 | UInt32(byte & 0x3F)
      allowed = 0x80...0xBF
      length += 1
      missing -= 1
      if missing == 0 { scalars.append(value) }
    }
    consumed += block.count
  }

  /// Call at the end of the text, where no sequence may be unfinished.
  func finish() throws(Failure) {
    if missing > 0 { throw Failure(offset: consumed - length) }
  }

  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0xC2...0xDF: (missing, allowed) = (1, 0x80...0xBF)
    case 0xE0: (missing, allowed) = (2, 0xA0...0xBF)
    case 0xED: (missing, allowed) = (2, 0x80...0x9F)
    case 0xE1...0xEF: (missing, allowed) = (2, 0x80...0xBF)
    case 0xF0: (missing, allowed) = (3, 0x90...0xBF)
    case 0xF1...0xF3: (missing, allowed) = (3, 0x80...0xBF)
    case 0xF4: (missing, allowed) = (3, 0x80...0x8F)
    default: return false
    }
    value = UInt32(byte) & (0x3F >> UInt32(missing))
    return true
  }
}
