import Dispatch
import HDF5
import Synchronization
import TestSupport
import Testing

@Suite struct ThreadTests {
  /// Threads that read one dataset in small pieces, each its own rows, while another writes another file: nobody gets
  /// what belongs to someone else, neither values nor errors.
  @Test func manyThreadsAtOnce() throws {
    try withTemporaryDirectory { directory throws in
      let values = (0..<60_000).map { Int32($0) }
      try makeFile("\(directory)/x.h5") { try $0.write("x", values, shape: [600, 100], compressed: true) }
      let dataset = try File.open("\(directory)/x.h5").dataset("x")
      let failures = Mutex<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 6) { thread in
        do {
          if thread == 5 {
            let file = try File.create("\(directory)/y.h5")
            for index in 0..<200 { try file.write("d/\(index)", values[..<index].map { $0 }) }
            try file.close()
            return
          }
          for row in stride(from: thread, to: 600, by: 5) {
            let found = try dataset.readArray(of: Int32.self, rows: row..<row + 1)
            if found != Array(values[row * 100..<row * 100 + 100]) {
              failures.withLock { $0.append("row \(row)") }
            }
            let wrong = "rows \(row + 600)..<\(row + 601) were asked"
            do { _ = try dataset.readArray(of: Int32.self, rows: row + 600..<row + 601) } catch {
              if !"\(error)".contains(wrong) { failures.withLock { $0.append("\(error)") } }
            }
            do { _ = try File.open("\(directory)/none-\(thread).h5") } catch {
              if !"\(error)".contains("none-\(thread).h5: ") { failures.withLock { $0.append("\(error)") } }
            }
          }
        } catch { failures.withLock { $0.append("\(error)") } }
      }
      #expect(failures.withLock { $0 } == [])
      #expect(try File.open("\(directory)/y.h5").group("d").childNames().count == 200)
    }
  }

  /// What was opened in a file can be used as long as it lives, and not after the file is closed.
  @Test func lifetimes() throws {
    try withTemporaryDirectory { directory throws in
      try makeFile("\(directory)/x.h5") { try $0.write("g/x", [1, 2] as [Float]) }
      let dataset = try File.open("\(directory)/x.h5").group("g").dataset("x")
      #expect(try dataset.readArray(of: Float.self) == [1, 2])
      let file = try File.open("\(directory)/x.h5")
      let second = try file.dataset("g/x")
      try file.close()
      try file.close()
      expectError("/g/x", "the file has been closed") { _ = try second.readArray(of: Float.self) }
      #expect(try dataset.readArray(of: Float.self) == [1, 2])
    }
  }
}
