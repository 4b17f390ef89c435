import Settings

/// The settings of one kind of layer.
package protocol LayerOptions: Equatable, Sendable {
  /// The defaults.
  init()
  /// Each of them, under its name in the layer's section.
  static var settings: [Setting<Self>] { get }
}

/// Those of a layer that has none.
package struct NoOptions: LayerOptions {
  package init() {}
  package static let settings: [Setting<NoOptions>] = []
}

/// The settings of all kinds of layers, each kind's by its type.
struct LayerOptionTable: Sendable, Equatable {
  private var changed: [ObjectIdentifier: any LayerOptions] = [:]

  subscript<Options: LayerOptions>(_ kind: Key<Options>) -> Options {
    get { changed[ObjectIdentifier(Options.self)] as? Options ?? Options() }
    set { changed[ObjectIdentifier(Options.self)] = newValue == Options() ? nil : newValue }
  }

  /// Stands for a type in key paths.
  struct Key<Options: LayerOptions>: Hashable, Sendable {}

  static func == (a: Self, b: Self) -> Bool {
    a.changed.count == b.changed.count && a.changed.allSatisfy { $1.isEqual(to: b.changed[$0]) }
  }
}

extension LayerOptions {
  fileprivate func isEqual(to other: (any LayerOptions)?) -> Bool { other as? Self == self }
}

extension ModelConfiguration {
  /// The settings of one kind of layer.
  package subscript<Options: LayerOptions>(_ kind: Options.Type) -> Options {
    get { layerOptions[LayerOptionTable.Key()] }
    set { layerOptions[LayerOptionTable.Key()] = newValue }
  }
}

extension LayerKind {
  /// Its settings as the model's.
  static var settings: [Setting<ModelConfiguration>] {
    Options.settings.lifted(name, \.layerOptions[LayerOptionTable.Key<Options>()])
  }
}
