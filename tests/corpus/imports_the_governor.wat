;; H20: imports what only the host may ask, or only the governor.
(component
  (import "thoth:governance/policy@0.1.0" (instance (export "enforce" (func))))
  (import "thoth:governance/outbox@0.1.0" (instance (export "append" (func))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
