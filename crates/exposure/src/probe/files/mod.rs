//! The file family (F): trees and mounts, headers read and their values dropped.
