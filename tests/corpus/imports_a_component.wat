;; H17: imports a whole component and a core module, to have code run that was not looked at.
(component
  (import "helper" (component (export "run" (func))))
  (import "module" (core module (export "run" (func))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
