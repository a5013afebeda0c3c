;; H20: imports the interface by which a governor runs tools.
(component
  (import "thoth:governance/tool@0.1.0" (instance (export "list-tools" (func))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
