;; H20: imports a way to approve its own calls.
(component
  (import "thoth:governance/approvals@0.1.0" (instance (export "approve" (func (param "token" string)))))
  (import "thoth:host/admin@0.1.0" (instance (export "grant" (func (param "what" string)))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
