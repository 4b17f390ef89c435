import Random
import Testing
