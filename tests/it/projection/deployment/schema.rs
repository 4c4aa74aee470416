//! Validates documents by the schema that comes with the program.

use relax_ng::{
    Content, DatatypeRegistry, Element, ExpandedName, ResolveError, Schema, SchemaResolver,
    SchemaSource, SchemaSyntax,
};
use roxmltree::{Document, Node};

/// A resolver that fails: the schema refers to no other.
struct NoReferences;

impl SchemaResolver for NoReferences {
    fn resolve(&self, href: &str, _: &str) -> Result<SchemaSource, ResolveError> {
        Err(ResolveError::new(format!("nothing is read from {href}")))
    }
}

/// An element of a document.
struct XmlElement<'a>(Node<'a, 'a>);

impl Element for XmlElement<'_> {
    type Location = String;

    fn name(&self) -> ExpandedName {
        let name = self.0.tag_name();
        ExpandedName::new(name.namespace(), name.name())
    }

    fn attributes(&self) -> impl Iterator<Item = (ExpandedName, String)> {
        let name = |attribute: &roxmltree::Attribute<'_, '_>| {
            ExpandedName::new(attribute.namespace(), attribute.name())
        };
        self.0.attributes().map(move |one| (name(&one), one.value().to_owned()))
    }

    fn children(&self) -> impl Iterator<Item = Content<Self>> {
        self.0.children().filter_map(|child| match child.text().filter(|_| child.is_text()) {
            Some(text) => Some(Content::Text(text.to_owned())),
            None => child.is_element().then_some(Content::Element(XmlElement(child))),
        })
    }
}

/// Returns the faults of a document by `schema/report.rng`.
pub fn faults(text: &str) -> Vec<String> {
    let schema = std::fs::read_to_string("schema/report.rng").unwrap();
    let source = SchemaSource::new(schema, "schema/report.rng", SchemaSyntax::Xml);
    let schema = Schema::compile(&source, &NoReferences).expect("schema/report.rng is a schema");
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![error.to_string()],
    };
    let root = XmlElement(document.root_element());
    let found = schema.validate(&DatatypeRegistry::new(), &root).unwrap();
    found.iter().map(|fault| format!("{fault:?}")).collect()
}

const INSTANCE: &str = r#"<?xml version="1.0"?>
<instance uuid="i" assembly="a" status="incomplete">
  <registered>2026-11-20T03:05:54Z</registered>
  <services>
    <service name="s" status="incomplete">
      <configuration-started>2026-11-20T03:05:54Z</configuration-started>
      <unresolved-service-parameters>
        <service-parameter name="p">
          <source-assembly uuid="m"/>
          <service-name name="mysql"/>
        </service-parameter>
      </unresolved-service-parameters>
    </service>
  </services>
  <pending-return-parameters>
    <return-parameter name="hostname"/>
  </pending-return-parameters>
</instance>
"#;

#[test]
fn the_schema_refuses_documents_that_audrey_never_wrote() {
    assert_eq!(faults(INSTANCE), Vec::<String>::new());
    for (right, wrong) in [
        ("status=\"incomplete\">\n  <reg", "status=\"registered\">\n  <reg"),
        (" assembly=\"a\"", ""),
        ("uuid=\"i\"", "uuid=\"i\" state=\"contacted\""),
        ("<registered>2026-11-20T03:05:54Z</registered>", ""),
        ("<registered>2026-11-20T03:05:54Z", "<registered>2026-11-20 03:05:54 +0000"),
        ("<registered>2026-11-20T03:05:54Z", "<registered>2026-11-20T03:05:54.5Z"),
        ("<registered>2026-11-20T03:05:54Z", "<registered>2026-13-20T03:05:54Z"),
        ("<service-name name=\"mysql\"/>", ""),
        ("<service-name name=\"mysql\"/>", "<service-name name=\"mysql\">x</service-name>"),
        ("<return-parameter name=\"hostname\"/>", ""),
        ("<service name=\"s\" status=\"incomplete\">", "<service name=\"s\" status=\"\">"),
        ("<services>", "<more/><services>"),
        ("instance", "machine"),
    ] {
        assert!(INSTANCE.contains(right), "{right}");
        assert_ne!(faults(&INSTANCE.replace(right, wrong)), Vec::<String>::new(), "{wrong}");
    }
}
