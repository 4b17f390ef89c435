import Chunks

/// Throws where a number is outside its vocabulary. `first` is the place of the first of `tokens` in the track.
func checkTokens(
  _ tokens: UnsafeBufferPointer<Int32>, first: Int, _ vocabulary: Vocabulary, _ track: String
) throws {
  let limit = UInt32(vocabulary.count)
  // Without a branch for each, so that it runs at vector speed; looked at one by one only where there is a fault.
  guard tokens.reduce(UInt32(0), { max($0, UInt32(bitPattern: $1)) }) >= limit else { return }
  guard let place = tokens.firstIndex(where: { UInt32(bitPattern: $0) >= limit }) else { return }
  throw outsideVocabulary(first + place, tokens[place], vocabulary, track)
}

func outsideVocabulary(
  _ place: Int, _ token: some BinaryInteger, _ vocabulary: Vocabulary, _ track: String
) -> DataError {
  DataError(
    "\(track) \(place) is \(token), outside the vocabulary of \(vocabulary.count); make the dataset anew")
}

/// Throws where a value is not finite, or is none of 0 and 1 in a binary track. `first` is the row of the first of
/// `values` in the track.
func checkFrames(
  _ values: UnsafeBufferPointer<Float>, first: Int, _ columns: FrameColumns, _ track: String
) throws {
  // The sum of what is not finite isn't either.
  guard !values.reduce(0, { $0 + $1 * 0 }).isFinite || columns.isBinary else { return }
  let isSound: (Float) -> Bool = columns.isBinary ? { $0 == 0 || $0 == 1 } : { $0.isFinite }
  guard let place = values.firstIndex(where: { !isSound($0) }) else { return }
  let (row, column) = (place / columns.width, place % columns.width)
  throw DataError(
    "\(track) \(first + row), column \(column) (\(columns.names[column])), is \(values[place]), expected "
      + "\(columns.isBinary ? "0 or 1" : "a finite number"); make the dataset anew")
}

/// Throws where a weight is not finite or below 0.
func checkWeights(_ weights: UnsafeBufferPointer<Float>, first: Int, width: Int) throws {
  guard let place = weights.firstIndex(where: { !($0 >= 0 && $0.isFinite) }) else { return }
  throw DataError(
    "the weight of position \(first + place / width) is \(weights[place]), expected a finite number of 0 or more; make "
      + "the dataset anew")
}
