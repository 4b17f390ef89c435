import Preconditions
import Settings
import Yams

/// The layers of a stack, by their names in the catalogue: a list that is repeated from the first layer to the last.
package struct LayerNames: Sendable, Equatable {
  /// At least one.
  package let names: [String]

  /// These, unless there are none, or one is not in the catalogue.
  package init?(_ names: [String]) {
    guard !names.isEmpty && names.allSatisfy({ Catalog.layer($0) != nil }) else { return nil }
    self.names = names
  }

  /// Each layer of the catalogue by itself.
  package static var each: [LayerNames] { Catalog.layers.compactMap { LayerNames([$0.name]) } }

  /// The kind of layer `index`.
  subscript(index: Int) -> any LayerKind.Type {
    guard let kind = Catalog.layer(names[index % names.count]) else {
      preconditionFailure("layers are named as in the catalogue")
    }
    return kind
  }
}

extension LayerNames: SettingValue {
  package static var isList: Bool { true }

  package static var expectation: String {
    let names = Catalog.layers.map { $0.name }
    return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "") + ", or a list of them"
  }

  package init?(setting node: Node) {
    self.init([String](setting: node) ?? node.scalar.map { [$0.string] } ?? [])
  }

  /// A single name as it is, more as a list.
  package var yaml: String { names.count == 1 ? names[0] : "[" + names.joined(separator: ", ") + "]" }
}

extension LayerNames: CustomStringConvertible {
  package var description: String { yaml }
}

extension LayerNames: ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
  package init(stringLiteral name: String) { self.init(known: [name]) }
  package init(arrayLiteral names: String...) { self.init(known: names) }

  private init(known names: [String]) {
    guard let layers = LayerNames(names) else {
      preconditionFailure("\(names) are not layers of the catalogue")
    }
    self = layers
  }
}
