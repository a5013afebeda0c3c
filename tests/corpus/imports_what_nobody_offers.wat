;; H17: imports an interface and a function that no host offers.
(component
  (import "acme:nowhere/door@1.0.0" (instance (export "open" (func))))
  (import "ring" (func))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
