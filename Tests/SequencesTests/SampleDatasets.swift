import Sequences

/// Makes a dataset of streams of numbers in a vocabulary of `size` words, split into `train` and `validation` at
/// the token `cut`.
func makeDataset(_ path: String, _ streams: [[Int32]], vocabulary size: Int, cut: Int) throws {
  let digits = String(size).utf8.count
  let spellings = (0..<size).map { number in
    String(repeating: "0", count: digits - String(number).utf8.count) + String(number)
  }
  try DatasetWriter.create(
    path, vocabulary: Vocabulary(level: .word, spellings: spellings), origin: DatasetOrigin(command: "a test")
  ) { writer in
    for stream in streams {
      for token in stream { try writer.append(token) }
      writer.endStream()
    }
    return [
      DatasetWriter.Split(name: "train", range: 0..<cut),
      DatasetWriter.Split(name: "validation", range: cut..<writer.tokenCount, floor: 1.25),
    ]
  }
}

/// Streams of 1 to `longest` tokens that count up, modulo `size`.
func countingStreams(_ count: Int, longest: Int, vocabulary size: Int) -> [[Int32]] {
  var next = 0
  return (0..<count).map { stream in
    (0..<(stream * 7) % longest + 1).map { _ in
      next += 1
      return Int32(next % size)
    }
  }
}

extension SequenceDataset {
  /// The vocabulary of the input.
  var vocabulary: Vocabulary {
    guard case .tokens(let vocabulary) = description.input else {
      fatalError("the input is no track of tokens")
    }
    return vocabulary
  }

  /// Reads tokens of the input to `buffer`, which has just as many.
  func read(tokens range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Int32>) throws {
    _ = buffer.update(fromContentsOf: try readTokens(.input, rows: range))
  }
}
